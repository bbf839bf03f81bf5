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
fn every_answer_has_its_class() {
    let ours = |status: u16| format!(r#"{{"StatusCode":{status},"Error":"e"}}"#);
    let transient = Class::Transient { after: None };
    let rows = [
        (400, ours(400), Class::Permanent),
        (401, ours(401), Class::Outage),
        (403, ours(403), Class::Outage),
        (404, ours(404), Class::Permanent),
        (404, String::new(), Class::Outage),
        (409, ours(409), Class::Permanent),
        (412, ours(412), Class::Permanent),
        (413, ours(413), Class::Permanent),
        (429, String::new(), Class::Outage),
        (500, ours(500), transient),
        (500, String::new(), transient),
        (502, String::new(), Class::Outage),
        (503, ours(503), Class::Outage),
        (504, String::new(), Class::Outage),
        (302, String::new(), Class::Outage),
    ];

    for (status, body, expected) in rows {
        assert_eq!(of(status, &body).class(), expected, "{status} {body}");
    }
}
