//! The one list of cases, run on every back end.
//!
//! A case takes a [`Bench`]: the back end with buckets of its own, and a fault proxy between. A case that is
//! written and not listed here is dead code, which the compiler says.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::backend::Backend;
use crate::support::Bench;
use crate::{budget, copies, deleting, failures, left_open, reading, store, writing};

pub(crate) type Case = for<'a> fn(&'a Bench) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

macro_rules! suite {
    ($($module:ident { $($case:ident,)* })*) => {
        pub(crate) const CASES: &[(&str, Case)] = &[$($((
            stringify!($case),
            |bench| Box::pin($module::$case(bench)),
        ),)*)*];

        mod embedded {
            $(mod $module {
                $(#[tokio::test]
                async fn $case() {
                    super::super::on_embedded(stringify!($case)).await;
                })*
            })*
        }
    };
}

suite! {
    budget {
        copies_and_writers_of_a_process_share_one_budget,
        a_copy_goes_on_in_small_steps_while_others_hold_all_there_is_to_read_ahead,
    }
    copies {
        a_member_is_staged_out_of_the_tar_without_reading_it,
        a_range_that_is_not_what_pass_one_read_leaves_nothing_behind,
        a_range_copy_that_cannot_be_confirmed_is_streamed,
        a_range_that_the_store_cannot_copy_is_streamed,
        a_store_without_copies_gets_a_stream,
        a_tar_replaced_before_the_copy_is_superseded,
        a_copy_carries_what_the_record_says_and_may_be_ordered_twice,
        a_key_that_something_else_has_is_never_replaced,
        a_copy_whose_answer_is_lost_counts_once,
        a_copy_that_is_ordered_twice_on_the_way_counts_once,
        a_bit_that_flips_on_the_way_back_is_not_what_was_stored,
        a_store_without_checksums_is_read_back,
        operations_can_run_on_tasks,
        staged_bytes_that_differ_from_the_record_are_never_called_a_copy,
        a_staged_file_that_is_lost_is_named_as_such,
        a_staged_file_that_was_replaced_is_not_copied,
        what_is_staged_says_its_etag_without_another_request,
        a_target_without_a_bucket_is_an_error_and_no_panic,
    }
    deleting {
        only_the_upload_that_was_ingested_is_deleted,
        the_same_bytes_put_again_survive_a_delete_whose_answer_was_lost,
        a_delete_whose_answer_was_lost_finds_the_upload_gone,
        a_bucket_with_versions_is_told_which_one_to_delete,
        a_version_that_names_nothing_is_none,
        each_try_of_a_delete_is_allowed_anew,
    }
    failures {
        a_storm_of_503_is_waited_out,
        a_storm_that_does_not_end_is_an_outage,
        nobody_listening_is_an_outage,
        a_connection_that_breaks_is_transient,
        a_balancer_that_resets_everything_is_an_outage,
        a_request_that_alone_is_reset_counts_as_an_attempt,
        refused_credentials_are_an_outage_and_not_asked_again,
        a_missing_bucket_is_not_mistaken_for_a_missing_tar,
    }
    left_open {
        a_copy_that_was_dropped_leaves_no_upload_open_when_its_job_ends,
        what_a_killed_worker_left_open_is_aborted_before_the_next_upload,
        a_record_that_is_written_again_leaves_no_upload_open_and_aborts_no_other,
    }
    reading {
        a_tar_is_read_in_order_from_any_offset_to_its_end,
        an_object_of_a_whole_number_of_ranges_ends_with_the_last,
        a_range_of_an_object_ends_where_it_ends,
        an_empty_object_is_read_without_a_request,
        a_body_that_breaks_off_is_resumed_at_that_byte,
        a_replaced_tar_is_superseded_and_never_mixed,
        a_staged_object_replaced_between_two_ranges_is_superseded,
        a_tar_that_is_gone_is_not_found,
        a_staged_object_of_another_size_is_refused,
        a_stop_ends_the_stream_and_leaves_its_position,
        after_an_error_a_stream_goes_on_where_its_reader_was,
        a_small_object_is_got_whole_or_not_at_all,
        a_bit_that_flips_on_the_way_is_noticed_and_read_again,
    }
    store {
        a_bucket_is_made_once_and_found,
        an_object_is_created_once_also_when_the_answer_is_lost,
        a_store_that_keeps_conditions_is_known_as_one_and_keeps_nothing_of_the_trial,
        a_store_that_ignores_conditions_is_known_as_one,
        keys_of_nobody_are_told_from_a_store_that_is_away,
    }
    writing {
        a_put_sends_the_recorded_checksum_and_no_other,
        bytes_that_differ_from_the_record_are_refused,
        a_put_whose_answer_is_lost_is_made_again,
        what_a_store_without_checksums_was_given_is_read_back,
        an_object_is_written_whatever_its_length,
        a_write_that_differs_from_the_record_leaves_nothing_behind,
        a_completion_whose_answer_is_lost_is_recognised,
        uploads_that_a_killed_worker_left_open_are_found_and_aborted,
        a_prefix_is_emptied_over_several_pages_and_no_other_is_touched,
        first_parts_of_keys_are_listed_once_each_and_from_anywhere_on,
        depositors_keys_are_listed_as_they_are,
        receiving_buckets_are_found_by_their_prefix,
        a_deposit_record_needs_no_checksum_from_elsewhere,
        a_request_that_arrives_twice_does_what_it_does_once,
    }
}

async fn on_embedded(name: &str) {
    let (_, case) = CASES
        .iter()
        .find(|(listed, _)| *listed == name)
        .expect("listed");
    run(Arc::new(Backend::embedded().await), *case).await;
}

pub(crate) async fn run(backend: Arc<Backend>, case: Case) {
    let bench = Bench::on(backend).await;
    case(&bench).await;
    bench.remove().await;
}
