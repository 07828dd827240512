//! Every operation's gradient rule against finite differences, at several settings of its attributes.

use retune_testkit::cases::FAMILIES;

#[test]
fn every_rule_agrees_with_finite_differences() {
    let mut checked = 0;
    for (family, cases) in FAMILIES {
        for case in cases() {
            // Shown only on failure, where the last line names the case.
            println!("{family}: {}", case.name);
            case.check.run(&case.build);
            checked += 1;
        }
    }
    assert!(checked > 250, "only {checked} cases");
}
