//! Runs `xenbond` on this machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    xenbond::host::alone(&args);
    ExitCode::from(xenbond::cli::main(&args))
}
