use super::*;

#[test]
fn only_work_that_ends_its_process_while_it_runs_alone_goes_to_an_operator() {
    let rows = [(100, 4, false), (5, 5, true), (0, 0, false)];

    for (vanished, vanished_alone, halts) in rows {
        let claim = Claim {
            vanished,
            vanished_alone,
            ..claim()
        };

        let halted = ends_its_process(&claim);

        assert_eq!(halted.is_some(), halts, "{vanished} {vanished_alone}");
    }
}

fn claim() -> Claim {
    let message = muniment_work::Message {
        subject: muniment_work::Subject::Item(muniment_model::WorkItemId(12)),
        queue: QUEUE,
        batch: None,
        institution: muniment_model::InstitutionId(1),
        size_bytes: 1,
        files: 0,
    };
    Claim {
        lease: muniment_work::Lease {
            identity: message.identity(),
            token: muniment_work::Token(1),
        },
        message,
        attempt: 1,
        vanished: 0,
        vanished_alone: 0,
        deadline: chrono::DateTime::UNIX_EPOCH,
    }
}
