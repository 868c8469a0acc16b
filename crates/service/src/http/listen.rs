//! Taking the port a program serves on.

use std::io::ErrorKind;
use std::net::SocketAddr;

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;

/// Listens on the address that `LISTEN` sets.
///
/// # Errors
/// If that is not possible, with the name of the variable that changes the address.
pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    listen_as("LISTEN", address).await
}

/// Listens on an address that another variable sets.
///
/// # Errors
/// If that is not possible, with the name of the variable that changes the address.
pub async fn listen_as(variable: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow!(
            "port {} is taken by another program; set {variable} to another address, such as {variable}={}:{}",
            address.port(),
            address.ip(),
            address.port().saturating_add(1),
        ),
        ErrorKind::PermissionDenied => {
            anyhow!("this user may not listen on {address}; set {variable} to another address")
        }
        ErrorKind::AddrNotAvailable => {
            anyhow!("{address} is not an address of this machine; set {variable} to another")
        }
        _ => anyhow!(error).context(format!("listening on {address}, which {variable} sets")),
    })?;
    let address = listener.local_addr().context("reading the address listened on")?;
    tracing::info!(%address, setting = variable, "listening");
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_names_the_variable_to_change() {
        let taken = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let error = listen(taken.local_addr().unwrap()).await.unwrap_err().to_string();
        assert!(error.contains("is taken") && error.contains("LISTEN="), "{error}");
    }
}
