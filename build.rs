//! Compiles `proto/` to Rust with protox, so that no `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(
        [
            "tfplugin6.proto",
            "controller.proto",
            "stdio.proto",
            "broker.proto",
        ],
        ["proto"],
    )?;
    tonic_prost_build::configure()
        // The tests of this crate speak to the provider as Terraform does.
        .build_client(true)
        .compile_fds(files)?;
    Ok(())
}
