"""Every known fault is shown by a machine: a shortest run from where it begins, which can be done again."""

from collections.abc import Iterator
from itertools import product

import pytest

from pagelaw.model.explorer.acting import calls_in_vain
from pagelaw.model.explorer.gallery import MACHINES, NOT_SHOWN
from pagelaw.model.explorer.search import explore
from pagelaw.model.reference.beside import asked, parameter_sorts
from pagelaw.proofs import mutants
from pagelaw.spec.language import REGISTER
from pagelaw.spec.machine import Machine

SHOWN: dict[str, tuple[str, int, str]] = {
    # machine, steps, property
    "SH-1": ("sharing-devices", 7, "no_transfer_after_pin_check"),
    "SH-2": ("sharing", 3, "every_wait_ends"),
    "SH-3": ("domains", 4, "table_lists_shared_frames"),
    "SH-4": ("sharing-devices", 20, "frame_read_by_device_is_its_pages"),
    "SH-5": ("marking", 7, "shared_frame_is_listed"),
    "SH-6": ("marking", 3, "shadow_agrees_with_pmap"),
    "SH-7": ("dying", 2, "count_is_number_of_users"),
    "LK-2": ("domains", 2, "share_is_tried_with_the_listed_frame"),
    "ORD-1": ("sharing", 4, "tlb_agrees_with_pmap"),
    "ORD-2": ("collisions", 13, "what_was_done_still_holds"),
    "ORD-3": ("domains", 2, "count_is_number_of_users"),
    "ORD-4": ("marking-devices", 4, "device_entry_agrees_with_pmap"),
    "ORD-5": ("marking-devices", 7, "frame_written_by_device_is_its_pages"),
    "ORD-6": ("marking-devices", 5, "shared_frame_is_listed"),
    "ORD-7": ("moving", 7, "every_wait_ends"),
    "ORD-8": ("sharing", 16, "what_was_done_still_holds"),
    "ORD-9": ("sharing", 10, "tlb_agrees_with_pmap"),
    "SYN-22": ("marking-devices", 4, "a_page_is_marked_for_its_match"),
    "SYN-28": ("sharing", 8, "every_scan_ends"),
    "TL-1": ("marking", 5, "tlb_agrees_with_pmap"),
    "TL-2": ("pins", 3, "device_entry_agrees_with_pmap"),
    "TL-3": ("clean", 4, "shadow_agrees_with_pmap"),
    "TL-4": ("clean", 6, "tlb_agrees_with_pmap"),
    "TL-5": ("moving", 4, "cached_dirty_bit_is_known"),
    "PO-9": ("sampling", 3, "sampled_page_has_no_device_entry"),
    "ORD-10": ("clean", 3, "current_fill_is_right"),
    "ORD-11": ("dying", 4, "tlb_agrees_with_pmap"),
    "ORD-12": ("fills", 3, "shadow_agrees_with_pmap"),
    "ORD-13": ("clean", 4, "clean_page_equals_its_slot"),
    "SYN-13": ("clean", 4, "cached_dirty_bit_is_known"),
    "SYN-14": ("sampling", 1, "a_sampled_page_is_revoked"),
    "SYN-24": ("sampling", 2, "touches_are_counted"),
    "ORD-25": ("dying", 2, "every_flush_can_be_done"),
    "SW-1": ("page-ins", 2, "page_in_fits_its_frame"),
    "SW-2": ("paging-devices", 11, "slot_count_is_number_of_users"),
    "SW-3": ("balloon-paging", 19, "refinement"),
    "SW-4": ("paging-devices", 11, "what_was_done_still_holds"),
    "SW-5": ("common", 4, "slot_count_is_number_of_users"),
    "SW-6": ("page-ins", 3, "page_in_fits_its_frame"),
    "SW-7": ("dying", 7, "a_page_with_a_transfer_has_not_left"),
    "ORD-14": ("paging-devices", 12, "refinement"),
    "ORD-15": ("paging-devices", 4, "device_entry_agrees_with_pmap"),
    "ORD-16": ("paging-devices", 11, "every_wait_ends"),
    "ORD-31": ("page-ins", 6, "stage_fits_backing"),
    "SYN-15": ("common", 7, "slot_count_is_number_of_users"),
    "SYN-16": ("paging", 16, "nobody_is_pushed_below_its_minimum"),
    "SYN-8": ("paging", 1, "paged_only_after_an_attempt_to_share"),
    "SYN-27": ("paging", 5, "slot_may_hold_anything_while_it_is_written"),
    "BA-1": ("blocks", 6, "vacated_frames_are_freed_with_their_block"),
    "BA-2": ("balloon", 3, "refinement"),
    "BA-3": ("dying", 5, "device_entry_agrees_with_pmap"),
    "BA-4": ("balloon", 7, "driver_is_ready_only_with_an_empty_balloon"),
    "BA-5": ("balloon-paging", 1, "again"),
    "BA-6": ("balloon", 6, "balloon_size_is_counted"),
    "ORD-17": ("balloon", 1, "a_pop_leaves_the_driver_to_be_reset"),
    "SYN-17": ("balloon-paging", 17, "clean_page_equals_its_slot"),
    "SYN-23": ("balloon", 7, "balloon_grows_only_if_asked"),
    "SYN-31": ("blocks", 6, "vacated_frames_are_freed_with_their_block"),
    "SYN-32": ("blocks", 5, "balloon_frees_whole_blocks"),
    "SYN-25": ("balloon", 6, "again"),
    "SYN-26": ("balloon", 6, "a_pop_stops_the_driver_until_the_reset"),
    "RM-1": ("moving", 5, "device_entry_agrees_with_pmap"),
    "RM-2": ("moving", 9, "clean_page_equals_its_slot"),
    "RM-3": ("moving", 2, "bounce_buffer_is_in_use"),
    "RM-4": ("moving", 2, "count_is_number_of_users"),
    "RM-5": ("pins", 3, "pins_are_transfers"),
    "ORD-18": ("moving", 5, "no_transfer_after_pin_check"),
    "ORD-19": ("marking-devices", 4, "device_entry_agrees_with_pmap"),
    "ORD-20": ("sharing-devices", 13, "frame_written_by_device_is_its_pages"),
    "SYN-18": ("paging-devices", 15, "clean_page_equals_its_slot"),
    "SYN-19": ("bounce", 2, "bounce_buffers_are_low_frames"),
    "SYN-9": ("making-room", 4, "move"),
    "LK-1": ("first-touch", 2, "what_was_done_still_holds"),
    "PO-7": ("paging-devices", 12, "pages_of_a_vm_are_counted"),
    "PO-8": ("dying", 1, "targets_add_up"),
    "ORD-21": ("first-touch", 3, "every_wait_ends"),
    "ORD-22": ("dying", 4, "tlb_agrees_with_pmap"),
    "ORD-23": ("dying", 7, "a_page_with_a_transfer_has_not_left"),
    "SYN-11": ("power", 2, "reservations_add_up"),
    "SYN-20": ("sharing", 13, "count_is_number_of_users"),
    "SYN-21": ("domains", 0, "free_frames_counted"),
    "ORD-24": ("marking-devices", 2, "every_operation_can_be_ended"),
    "PO-1": ("power", 3, "overhead_is_counted"),
    "PO-3": ("reclamation", 3, "scarcity_can_be_followed"),
    "PO-6": ("reclamation", 6, "state_goes_up_past_its_upper_mark"),
    "SYN-12": ("reclamation", 6, "state_goes_up_past_its_upper_mark"),
    "SYN-40": ("reclamation", 2, "policy_wants_what_is_missing"),
    "SYN-10": ("reserve", 2, "last_low_frames_are_for_devices"),
    "PO-2": ("shares", 5, "a_page_is_taken_where_the_price_is_highest"),
    "PO-4": ("shares", 3, "targets_add_up"),
    "PO-5": ("shares", 4, "the_highest_price_above_the_minimum_can_be_taken_from"),
    "PO-10": ("shares", 4, "each_page_taken_leaves_one_less_to_take"),
    "SYN-1": ("prices", 11, "idle_pages_and_few_shares_make_a_price_high"),
    "SYN-3": ("shares", 3, "idle_pages_and_few_shares_make_a_price_high"),
    "SYN-4": ("shares", 4, "targets_are_within_bounds"),
    "SYN-5": ("sampling", 1, "the_estimate_is_the_greatest_average"),
    "SYN-6": ("estimates", 2, "the_fraction_is_of_the_sample"),
    "SYN-41": ("blocked", 5, "a_page_gets_any_frame_not_kept_for_devices"),
    "SYN-7": ("target", 5, "nobody_is_paged_below_its_target"),
    "SYN-29": ("dying", 1, "tlb_stays_in_its_vm"),
    "SYN-30": ("two-guests", 1, "a_fill_leaves_a_translation"),
    "SYN-33": ("averages", 6, "the_estimate_is_the_greatest_average"),
    "SYN-34": ("prices", 3, "the_estimate_is_the_greatest_average"),
    "SYN-35": ("averages", 8, "the_estimate_is_the_greatest_average"),
    "SYN-36": ("prices", 2, "a_review_takes_the_estimate_anew"),
    "SYN-37": ("prices", 3, "averages_move_towards_what_was_measured"),
    "SYN-38": ("prices", 3, "averages_move_towards_what_was_measured"),
    "SYN-42": ("after-power-off", 4, "averages_move_towards_what_was_measured"),
    "SYN-43": ("after-power-off", 4, "averages_move_towards_what_was_measured"),
    "SYN-44": ("shares", 1, "a_review_takes_the_estimate_anew"),
    "SYN-45": ("overflow", 3, "overflow_only_for_large_counts"),
    "SYN-46": ("dying", 3, "overflow_only_for_large_counts"),
    "SYN-48": ("reclamation", 5, "state_goes_down_as_free_memory_demands"),
    "SYN-49": ("blocked-sharing", 1, "state_goes_down_as_free_memory_demands"),
    "SYN-50": ("low-memory", 7, "plenty_can_be_followed"),
    "SYN-51": ("low-memory", 7, "again"),
    "SYN-52": ("reserve", 8, "moved_only_with_a_reason"),
    "SYN-53": ("after-power-off-moving", 3, "moved_only_with_a_reason"),
    "SYN-54": ("bounce-sharing", 5, "last_low_frames_are_for_devices"),
    "SYN-55": ("after-power-off", 1, "a_sampled_page_is_revoked"),
    "SYN-56": ("marking-devices", 0, "what_a_scan_can_find_matches"),
    "SYN-57": ("hints-left", 2, "what_a_scan_can_find_matches"),
    "SYN-58": ("marking-devices", 4, "a_hint_is_of_what_the_page_holds"),
    "SYN-59": ("shares", 3, "targets_add_up"),
    "SYN-60": ("shares", 1, "a_target_rises_only_while_the_vm_runs"),
    "SYN-61": ("sharing", 2, "what_a_scan_can_find_matches"),
    "SYN-63": ("after-power-off-balloon", 0, "every_level_can_be_asked_for"),
    "SYN-64": ("after-power-off-balloon", 0, "every_level_can_be_asked_for"),
    "SYN-65": ("sample-of-one", 2, "the_fraction_is_of_the_sample"),
    "SYN-66": ("averages", 2, "the_slow_average_is_slower"),
    "SYN-67": ("warm", 0, "a_look_up_leaves_a_translation"),
    "SYN-68": ("after-power-off-balloon", 10, "a_page_gets_dirty_by_being_written"),
    "SYN-69": ("clean", 3, "a_page_gets_dirty_by_being_written"),
    "SYN-70": ("after-power-off-balloon", 1, "a_pop_leaves_the_driver_to_be_reset"),
    "SYN-71": ("averages", 0, "a_vm_wholly_active_has_all_its_pages_active"),
    "SYN-72": ("averages", 0, "the_tax_takes_its_part_of_an_idle_page"),
    "SYN-73": ("averages", 2, "the_slow_average_is_slower"),
    "SYN-74": ("warm", 0, "in_high_nothing_is_reclaimed"),
    "SYN-75": ("reclamation", 4, "in_soft_balloons_come_first"),
    "SYN-76": ("reclamation", 5, "in_hard_and_low_pages_come_from_paging"),
    "SYN-77": ("blocked-sharing", 2, "who_gave_what_was_asked_for_is_at_its_target"),
    "SYN-78": ("following", 5, "at_their_targets_vms_leave_enough_free"),
    "SYN-79": ("following", 3, "what_is_set_aside_is_not_reserved"),
    "SYN-80": ("target", 3, "what_is_to_be_reclaimed_gets_less"),
    "SYN-82": ("averages", 11, "idle_pages_and_few_shares_make_a_price_high"),
    "SYN-84": ("following", 4, "targets_follow_as_far_as_minimums_leave"),
    "SYN-85": ("target", 3, "nobody_is_asked_for_more_than_its_target_leaves"),
    "SYN-86": ("averages", 1, "the_running_average_is_what_the_fast_one_would_be"),
    "SYN-87": ("admission", 2, "what_is_shared_out_is_there"),
    "SYN-88": ("following", 2, "what_is_set_aside_gives_way_to_minimums_only"),
    "SYN-62": ("warm", 4, "moved_only_with_a_reason"),
    "SYN-91": ("migrating", 2, "only_pages_with_a_frame_of_their_own_move"),
    "SYN-92": ("migrating", 2, "last_low_frames_are_for_devices"),
    "SYN-93": ("migrating", 0, "a_page_to_spare_can_be_paged_out"),
    "SYN-94": ("limit-left", 2, "what_a_scan_can_find_matches"),
    "SYN-95": ("limit-left", 3, "no_frame_has_more_users_than_it_may"),
    "SYN-96": ("limit-left", 5, "a_frame_leaves_the_table_full_or_unshared"),
    "SYN-97": ("limit-devices", 3, "a_frame_with_room_is_found"),
    "SYN-98": ("limit-left", 2, "every_scan_ends"),
    "SYN-99": ("limit-zeros", 2, "a_frame_with_room_can_be_listed"),
    "SYN-100": ("limit-left", 3, "no_frame_has_more_users_than_it_may"),
    "SYN-101": ("limit-zeros", 0, "a_balloon_stops_short_where_it_must_or_may"),
    "SYN-102": ("dying", 0, "a_balloon_that_is_not_done_can_grow"),
    "SYN-103": ("after-power-off-balloon", 5, "a_balloon_that_is_too_large_can_shrink"),
    "SYN-104": ("dying-sharing", 6, "every_wait_ends"),
    "SYN-105": ("dying-sharing", 6, "every_wait_ends"),
    "SYN-106": ("dying", 7, "a_page_with_a_transfer_has_not_left"),
}
QUICK = ("SH-3", "LK-1", "PO-6", "RM-5")


@pytest.mark.parametrize(
    "identifier", [pytest.param(one, marks=() if one in QUICK else pytest.mark.deep) for one in SHOWN]
)
def test_a_fault_is_shown(identifier: str) -> None:
    machine, steps, broken = SHOWN[identifier]
    with mutants.apply(identifier):
        found = explore(MACHINES[machine], watch_paths=False).violation
        assert found is not None
        assert (len(found.run), found.property) == (steps, broken)


@pytest.mark.deep
@pytest.mark.parametrize("identifier", SHOWN)
def test_the_run_can_be_done_again(identifier: str) -> None:
    """On a plain machine each step is done, only the last leaves anything false, and then the statement is false."""
    machine, _, broken = SHOWN[identifier]
    with mutants.apply(identifier):
        small = MACHINES[machine]
        found = explore(small, watch_paths=False).violation
        assert found is not None
        plain = small.machine()
        for action, arguments in found.run[:-1]:
            action(plain, *arguments)
            assert not list(false_now(plain))
        before = plain.copy()
        for action, arguments in found.run[-1:]:
            action(plain, *arguments)
        if broken in REGISTER["transition"]:
            assert broken in set(false_since(before, plain))
        elif broken in REGISTER["invariant"] or broken in REGISTER["theorem"]:
            assert broken in set(false_now(plain))


def false_now(machine: Machine) -> Iterator[str]:
    """The invariants and theorems that do not hold, those aside that ask for a rule which takes other arguments now."""
    for entry in (*REGISTER["invariant"].values(), *REGISTER["theorem"].values()):
        for arguments in product(*(machine.ids[sort] for sort in parameter_sorts(entry.function))):
            try:
                holds = asked(entry.function)(machine, *arguments)
            except TypeError as error:
                holds = calls_in_vain(error)
            if not holds:
                yield entry.name


def false_since(before: Machine, after: Machine) -> Iterator[str]:
    """The statements about steps that do not hold of a step."""
    for entry in REGISTER["transition"].values():
        sorts = parameter_sorts(entry.function)[1:]
        for arguments in product(*(before.ids[sort] for sort in sorts)):
            if not asked(entry.function)(before, after, *arguments):
                yield entry.name


def test_every_fault_is_shown_or_it_is_said_why_not() -> None:
    assert set(SHOWN) | set(NOT_SHOWN) == set(mutants.names())
    assert not set(SHOWN) & set(NOT_SHOWN)
    assert len([one for one in SHOWN if not one.startswith(("ORD", "SYN"))]) >= 35
