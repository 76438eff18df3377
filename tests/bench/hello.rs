//! The yardstick of `--version`: a static program that prints a line.
#![allow(clippy::print_stdout)]

fn main() {
    println!("hello, world");
}
