//! nginx as a proxy of the same routes as the gateway: what passing a request on costs when nothing is asked about it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::stage::Stage;

/// How it is named among the processes.
pub(crate) const PROXY: &str = "nginx";
pub(crate) const PAGE: &str = "page";

/// About as large as a user.
const BODY: &str = r#"{"id":1,"name":"Leash, braided","pet_type":"dog","price":1999,"currency":"EUR","version":1,"created_at":"2026-01-01T00:00:00Z"}"#;

/// Starts what is behind the cheapest route there is: a page that is always the same.
pub(crate) async fn start_page(stage: &mut Stage) -> anyhow::Result<SocketAddr> {
    let server = |to| {
        format!(
            "    access_log off;
    server {{
        listen {to} backlog=1024;
        location / {{ default_type application/json; return 200 '{BODY}'; }}
    }}"
        )
    };
    start(stage, PAGE, server).await
}

/// Starts the proxy: what begins with `/api/users/` goes to the producer, `/api/products/` to the page.
///
/// It keeps connections on both sides for as long as the gateway does, and logs each request as the gateway does.
pub(crate) async fn start_proxy(stage: &mut Stage, page: SocketAddr) -> anyhow::Result<SocketAddr> {
    let producer = stage.producer();
    let access_log = stage.folder.join(PROXY).join("access.log");
    let server = |to| {
        format!(
            "    access_log {log};
    upstream producer {{ server {producer}; keepalive 256; keepalive_requests 1000000000; }}
    upstream products {{ server {page}; keepalive 256; keepalive_requests 1000000000; }}
    server {{
        listen {to} backlog=1024;
        proxy_http_version 1.1;
        proxy_set_header Connection '';
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Request-ID $request_id;
        location /api/users/ {{ proxy_pass http://producer/users/; }}
        location /api/products/ {{ proxy_pass http://products/v1/products/; }}
    }}",
            log = access_log.display()
        )
    };
    start(stage, PROXY, server).await
}

/// What is compared with, for the report.
pub(crate) fn version() -> anyhow::Result<String> {
    let told = Command::new(program()).arg("-v").output();
    let told = told.context("nginx cannot be run; `./dev bench` installs it where there is apt")?.stderr;
    let told = String::from_utf8_lossy(&told);
    Ok(told.trim().trim_start_matches("nginx version: ").to_owned())
}

async fn start(
    stage: &mut Stage,
    name: &'static str,
    server: impl FnOnce(SocketAddr) -> String,
) -> anyhow::Result<SocketAddr> {
    let folder = stage.folder.join(name);
    fs::create_dir_all(&folder)?;
    let (address, config) = (stage.free_address()?, folder.join("nginx.conf"));
    fs::write(&config, configuration(&folder, &server(address)))?;
    let mut command = Command::new(program());
    command.env_clear().args(["-e", "stderr", "-p"]).arg(&folder).arg("-c").arg(&config);
    stage.start_further(name, command, address).await?;
    Ok(address)
}

/// All that it writes is in the folder.
fn configuration(folder: &Path, server: &str) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("    {what}_temp_path {}/{what};\n", folder.display()))
        .concat();
    let pid = folder.join("nginx.pid");
    format!(
        "daemon off;
worker_processes auto;
pid {pid};
events {{ worker_connections 4096; }}
http {{
{temporary}    keepalive_requests 1000000000;
{server}
}}
",
        pid = pid.display()
    )
}

/// Debian's is where no ordinary user's PATH leads.
fn program() -> &'static Path {
    let debians = Path::new("/usr/sbin/nginx");
    if debians.exists() { debians } else { Path::new("nginx") }
}
