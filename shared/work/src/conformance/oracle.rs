//! A back end answers as the model in memory does, whatever the sequence of commands.

use proptest::test_runner::{Config, TestRunner};

use super::kit::Backend;
use crate::decide::model::{Model, Step, steps};
use crate::decide::{Command, Reply};
use crate::{Lease, Token};

/// Each sequence is one store.
const SEQUENCES: u32 = 60;

pub(crate) fn answers_are_those_of_the_model<B: Backend>() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut runner = TestRunner::new(Config::with_cases(SEQUENCES));
    let compared = runner.run(&steps(80), |steps| {
        runtime.block_on(compare::<B>(&steps));
        Ok(())
    });
    compared.expect("the same answers");
}

async fn compare<B: Backend>(steps: &[Step]) {
    let kit = B::fresh().await;
    let mut model = Model::new();
    let mut leases: Vec<Lease> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        if let Step::Pass(seconds) = step {
            model.pass(*seconds);
            kit.set_time(model.now);
        }
        let Some(command) = step.command(&leases, Token(number as u128)) else {
            continue;
        };

        let expected = model.run(&command);
        let reply = kit.run(command.clone()).await;

        assert_eq!(reply, expected, "{command:?}");
        if let Reply::Claimed(claim) = reply {
            leases.push(claim.lease);
        }
    }
    // What the store holds in the end, as far as a claim and a revocation can tell.
    let expected = model.run(&Command::Revoke);
    assert_eq!(kit.run(Command::Revoke).await, expected);
}
