//! `--help`, `--version`, and wrong usage.

use crate::support::Workplace;

#[test]
fn help_shows_commands_and_first_steps() {
    let place = Workplace::new();
    let help = place.run(&["--help"]).ok();
    assert_eq!(help, include_str!("help.txt"), "tests/it/help.txt is what `retune --help` printed");
    for command in [
        "inspect", "check", "clean", "preview", "fit", "resume", "runs", "watch", "eval", "compare", "predict",
        "convert", "demo",
    ] {
        let text = place.run(&[command, "--help"]).ok();
        assert!(text.contains("Usage: retune") && text.contains("--json"), "{text}");
    }
    let version = place.run(&["--version"]).ok();
    assert_eq!(version.trim(), concat!("retune ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_exits_with_2() {
    let place = Workplace::new();
    assert!(place.run(&["inspekt", "x"]).fails(2).contains("'inspect'"));
    assert!(place.run(&["fit"]).fails(2).contains("<RECIPE>"));
    assert!(place.run(&["fit", "--model", "a.keras"]).fails(2).contains("--data"));
    place.run(&[]).fails(2);
}
