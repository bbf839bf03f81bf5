use axum::extract::OriginalUri;
use muniment_model::InstitutionId;

use super::*;
use crate::store::items::ITEMS;

const EVERYTHING: Caller = Caller {
    scope: Scope::Everything,
};

fn read(query: &str, caller: Caller) -> Result<Asked, ApiError> {
    let uri = format!("/admin-api/v3/items?{query}").parse().unwrap();
    Asked::read(&ITEMS, &OriginalUri(uri), caller)
}

#[test]
fn pages_stay_within_their_bounds() {
    let rows = [
        ("", 20, 0),
        ("page=3", 20, 40),
        ("page=0&per_page=0", 20, 0),
        ("page=x&per_page=-5", 20, 0),
        ("per_page=1000", 1_000, 0),
        ("page=2&per_page=5000", 1_000, 1_000),
        ("page=9223372036854775807", 20, i64::MAX),
    ];

    for (query, limit, offset) in rows {
        let asked = read(query, EVERYTHING).unwrap();
        assert_eq!(
            (asked.query.limit, asked.query.offset),
            (limit, offset),
            "{query}"
        );
    }
}

#[test]
fn what_is_not_in_the_table_is_refused_by_name() {
    let rows = [
        (
            "zebra=1&id=4&status=Pending",
            "Invalid query params: id, zebra",
        ),
        ("sort=note", "Invalid sort column: \"note\""),
        (
            "sort=id;drop%20table",
            "Invalid sort column: \"id;drop table\"",
        ),
        ("size__gteq=big", "Invalid value for size__gteq: \"big\""),
        ("retry=yes", "Invalid value for retry: \"yes\""),
        (
            "bag_date__gteq=2026",
            "Invalid value for bag_date__gteq: \"2026\"",
        ),
        (
            "node__is_null=maybe",
            "Invalid value for node__is_null: \"maybe\"",
        ),
    ];

    for (query, expected) in rows {
        let refused = read(query, EVERYTHING).unwrap_err().to_string();
        assert_eq!(refused, expected, "{query}");
    }
}

#[test]
fn a_flood_of_parameters_is_refused_at_the_limit() {
    let at_limit = vec!["status__in=Pending"; PARAMETERS_MAX].join("&");

    assert!(read(&at_limit, EVERYTHING).is_ok());
    assert!(read(&format!("{at_limit}&page=1"), EVERYTHING).is_err());
}

#[test]
fn a_member_may_name_its_own_institution_only() {
    let member = Caller {
        scope: Scope::Institution(InstitutionId(3)),
    };

    assert!(read("institution_id=3", member).is_ok());
    assert!(read("institution_id=", member).is_ok());
    assert!(read("institution_id=4", member).is_err());
    assert!(read("institution_id=3&institution_id=4", member).is_err());
}

#[test]
fn the_next_page_keeps_the_question_and_sorts_its_names() {
    let asked = read(
        "status__in=Pending&page=2&name=a%20b&per_page=5",
        EVERYTHING,
    )
    .unwrap();

    assert_eq!(
        asked.address(3),
        "/admin-api/v3/items?name=a+b&page=3&per_page=5&status__in=Pending"
    );
}
