//! S5 and S6: what is sent to the store does not arrive as it is, or its answer never comes.

use muniment_bag_builder::BagBuilder;
use muniment_fault_proxy::{Fault, FaultProxy, Requests, Times};
use muniment_model::StorageOption;

use super::{Proxied, puts, repeated};

/// The workers send the bytes of a staged file, of a copy in another store than the staging bucket's,
/// and of a deposit record; a copy in the same store is made by the store when it is told to.
fn bodies(proxied: &Proxied) -> [(&FaultProxy, Requests); 3] {
    [
        (&proxied.near, puts("/staging/")),
        (&proxied.far, puts("/preservation-")),
        (&proxied.near, puts("/records/")),
    ]
}

async fn assert_sent_again(proxied: &Proxied, sendings: &[(&FaultProxy, Requests)]) {
    let mut deposited = Vec::new();
    for (name, option) in [
        ("near", StorageOption::Standard),
        ("far", StorageOption::WasabiOr),
    ] {
        let bag = BagBuilder::aptrust(name)
            .storage_option(option)
            .file("data/hello.txt", "hello")
            .file("data/world.txt", "world")
            .generated_file("data/large.bin", 17 << 20, 1);
        let mut one = proxied.deposit(&bag).await;
        one.expected.option = option;
        deposited.push(one);
    }

    proxied.assert_preserved(&deposited).await;
    for (proxy, requests) in sendings {
        assert!(repeated(proxy, requests) > 0, "{requests:?}");
    }
}

/// The store compares what arrives with the checksum of the first reading.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s5_a_bit_that_flips_on_the_way_to_the_store_is_refused_and_sent_again() {
    let proxied = Proxied::start().await;
    let sendings = bodies(&proxied);
    for (proxy, requests) in sendings.clone() {
        proxy.plan(requests, Times::Next(1), Fault::FlipSentBit(2));
    }

    assert_sent_again(&proxied, &sendings).await;
    proxied.ingest.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s6_a_put_whose_answer_was_lost_is_counted_once() {
    let proxied = Proxied::start().await;
    let copies = (&proxied.near, puts("/preservation-"));
    let sendings = [&bodies(&proxied)[..], &[copies]].concat();
    for (proxy, requests) in sendings.clone() {
        proxy.plan(requests, Times::Next(2), Fault::DropAnswer);
    }

    assert_sent_again(&proxied, &sendings).await;
    proxied.ingest.stop().await;
}
