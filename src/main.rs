//! Runs `xenbond` on this machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    ExitCode::from(xenbond::cli::main(&args))
}
