//! The `retune` command line. `retune --help` lists its commands; see [`cli`].

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
