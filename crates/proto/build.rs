//! Generates Rust from the `.proto` files. They are compiled in Rust too, so no `protoc` has to be installed.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use prost::Message;

const FOLDER: &str = "proto";
const SERVICES: [&str; 3] = ["warren/v1/order.proto", "warren/v1/owner.proto", "warren/v1/product.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={FOLDER}");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);

    let files = protox::compile(SERVICES, [FOLDER])?;
    fs::write(out.join("warren.v1.bin"), files.encode_to_vec())?;
    // Without transport: a channel's endpoints, balancing and deadlines are the caller's business, not generated.
    tonic_prost_build::configure()
        .build_transport(false)
        .client_mod_attribute(".", r#"#[cfg(feature = "client")]"#)
        .server_mod_attribute(".", r#"#[cfg(feature = "server")]"#)
        .compile_fds(files)?;
    Ok(())
}
