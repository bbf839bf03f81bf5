use super::is_allowed;

#[test]
fn an_expression_is_allowed_when_a_choice_of_it_is() {
    let rows = [
        ("MIT", true),
        ("GPL-3.0", false),
        ("mit", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0 / MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("ISC AND MIT", true),
        // AND binds more tightly than OR.
        ("MIT OR GPL-3.0 AND GPL-2.0", true),
        ("GPL-3.0 AND GPL-2.0 OR MIT", true),
        ("(MIT OR GPL-3.0) AND GPL-2.0", false),
        ("(MIT OR GPL-3.0) AND (GPL-2.0 OR ISC)", true),
        ("((MIT))", true),
        ("Apache-2.0 WITH LLVM-exception", false),
        ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", true),
        ("", false),
        ("MIT AND", false),
        ("OR MIT", false),
        ("(MIT", false),
        ("MIT)", false),
        ("MIT ISC", false),
        ("MIT WITH", false),
    ];

    for (expression, expected) in rows {
        assert_eq!(is_allowed(expression), expected, "{expression:?}");
    }
}
