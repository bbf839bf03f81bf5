use super::*;

fn of(status: u16, body: &str) -> ClientError {
    let status = StatusCode::from_u16(status).unwrap();
    ClientError::from_answer("GET items".to_owned(), status, body.as_bytes(), None)
}

/// "There is no such object" starts a first ingest. Only the registry may say it.
#[test]
fn a_404_means_absent_only_in_the_registrys_own_words() {
    let rows = [
        (r#"{"StatusCode":404,"Error":"Not found: x"}"#, true),
        (r#"{"StatusCode":404,"Error":"x","error":"x"}"#, true),
        (r#"{"error":"Missing authorization check for /x"}"#, false),
        (r#"{"StatusCode":500,"Error":"x"}"#, false),
        ("<html>404 Not Found</html>", false),
        ("", false),
    ];

    for (body, absent) in rows {
        let error = of(404, body);
        assert_eq!(
            matches!(error, ClientError::NotFound { .. }),
            absent,
            "{body}"
        );
    }
}

#[test]
fn every_answer_has_its_class_and_says_whether_to_ask_again() {
    use Class::Permanent;
    let ours = |status: u16| format!(r#"{{"StatusCode":{status},"Error":"e"}}"#);
    let transient = || Class::Transient { after: None };
    let outage = || Class::Outage(Dependency::Registry);
    let (never, soon) = (Again::Never, Again::Soon { after: None });
    let rows = [
        (400, ours(400), Permanent, never),
        (401, ours(401), outage(), never),
        (403, ours(403), outage(), never),
        (404, ours(404), Permanent, never),
        (404, String::new(), outage(), never),
        (409, ours(409), Permanent, never),
        (412, ours(412), Permanent, never),
        (413, ours(413), Permanent, never),
        (429, String::new(), outage(), soon),
        (500, ours(500), transient(), never),
        (500, String::new(), transient(), never),
        (502, String::new(), outage(), soon),
        (503, ours(503), outage(), soon),
        (504, String::new(), outage(), soon),
        (507, ours(507), outage(), never),
        (302, String::new(), outage(), never),
    ];

    for (status, body, class, again) in rows {
        let error = of(status, &body);

        assert_eq!(
            (error.class(), error.again()),
            (class, again),
            "{status} {body}"
        );
    }
}
