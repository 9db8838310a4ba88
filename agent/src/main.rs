//! The command `meshloom-agent`.

fn main() -> std::process::ExitCode {
    meshloom_agent::cli::main()
}
