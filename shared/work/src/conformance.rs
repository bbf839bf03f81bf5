//! One suite for every back end of the work store.
//!
//! A back end names itself once, as a [`kit::Backend`], and `conformance!` runs all cases on it: none
//! can be left out. The queue's answers are compared with those of the pure `decide` under generated
//! histories; records have cases of their own.

pub(crate) mod kit;
pub(crate) mod oracle;
pub(crate) mod queue;
pub(crate) mod records;
pub(crate) mod sharing;
pub(crate) mod view;

/// Makes a test of each case for a back end.
macro_rules! conformance {
    ($backend:ty) => {
        $crate::conformance::conformance! { $backend:
            queue {
                what_is_published_is_claimed_once_and_gone_when_acknowledged,
                many_messages_are_published_at_a_time_whatever_their_queues,
                a_lost_lease_can_do_nothing_more_to_the_message,
                a_lease_that_is_not_renewed_is_claimed_by_another_after_a_minute,
                the_deadline_is_by_the_clock_of_the_store,
                work_that_vanishes_with_its_holder_says_whether_it_ran_alone,
                put_off_work_comes_when_it_is_due_and_not_before,
                every_token_is_new,
                a_waiting_claim_wakes_on_publish_and_on_release,
                a_claim_gives_up_when_its_time_is_over,
                a_claim_that_waits_gives_up_when_told_to_stop,
                calls_that_are_dropped_halfway_leave_the_store_usable,
                the_backlog_is_counted_per_queue,
                subjects_are_known_by_queue,
                dropping_an_item_ends_its_leases,
                a_subject_is_leased_until_its_last_lease_has_ended,
            }
            records {
                records_are_read_as_they_were_written,
                what_was_never_written_is_absent,
                records_from_an_index_on_are_replaced_and_those_before_it_stay,
                records_that_would_leave_a_gap_are_refused,
                a_batch_holds_five_hundred_records_and_no_more,
                progress_is_noted_with_the_records_that_show_it,
                a_batch_is_written_marked_and_acknowledged_in_one_step,
                the_last_batch_and_no_other_wakes_the_planner,
                a_batch_that_was_done_before_is_not_newly_done,
                done_marks_of_several_steps_are_cleared_at_once,
                no_write_passes_a_lost_lease,
                nothing_comes_back_after_the_item_was_dropped,
                a_lease_covers_its_own_batch_and_item_only,
                work_on_a_file_has_no_records,
                dropping_item_12_touches_nothing_of_items_1_and_120,
                every_item_that_anything_is_kept_of_is_listed,
                starting_over_keeps_the_object_record_and_the_own_lease,
                a_record_of_another_version_is_not_written,
            }
            view {
                a_look_shows_all_that_is_kept_of_an_item_and_changes_nothing,
                a_look_shows_the_state_of_each_message,
                a_look_at_an_item_of_which_nothing_is_kept_shows_nothing,
            }
            sharing {
                two_processes_never_claim_the_same_message,
                a_claim_sees_what_another_process_publishes,
                a_store_that_is_opened_again_has_kept_everything,
                leases_of_a_dead_process_can_be_revoked_at_once,
            }
        }

        #[test]
        fn answers_are_those_of_the_model() {
            $crate::conformance::oracle::answers_are_those_of_the_model::<$backend>();
        }
    };
    ($backend:ty: $($module:ident { $($case:ident,)+ })+) => {
        $(
            mod $module {
                use super::*;

                $(
                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $case() {
                        $crate::conformance::$module::$case::<$backend>().await;
                    }
                )+
            }
        )+
    };
}
pub(crate) use conformance;
