"""What shares entitle to (sections 5.1, 5.2): laws about targets, for any number of VMs.

Targets are *fair* if no page could go from one VM to another that would have a
lower price with it. Taking pages one by one where the price is highest, or giving
them one by one where one more is cheapest, keeps targets fair, and those at
the minimums are. So fair targets exist whenever minimums fit.

The laws speak of two VMs, and that is enough. Of two ways to share out the
same number of pages that are not the same, one VM has more in the first and
another has more in the second (`what_one_has_more_another_has_less`). What a law says of such a pair it
therefore says of the whole, however many VMs there are. A page is whole: at
equal prices fair targets may differ by one page, and by no more.
"""

from __future__ import annotations

from .estimators import end_period, greatest_average, moved, touched_fraction
from .language import VM, Abstract, enabled, false_claim, law, leaves, measure, pick, view
from .machine import Machine
from .reclamation import depth, follow_free_memory
from .shares import active_pages, demand, price, price_of, revoke_page
from .vocabulary import Life, Off

# What is fair.


@view
def is_fair(s: Machine, vm: VM, other: VM) -> bool:
    """A VM that could give a page to another, which could take it, has no higher price than that one would have."""
    could = s.target[vm] > s.minimum[vm] and s.target[other] < s.maximum[other]
    return not could or price(s, vm) <= price_of(s, other, s.target[other] + 1)


@view
def alike_but_for_shares(one: Machine, two: Machine, vm: VM) -> bool:
    """The tax is the same on both machines, and so is what a VM is taken to use."""
    return one.tax_rate == two.tax_rate and one.estimate[vm] == two.estimate[vm]


@view
def alike(one: Machine, two: Machine, vm: VM) -> bool:
    """All that the price of a VM's pages rests on is the same on both machines, but how many it has."""
    return alike_but_for_shares(one, two, vm) and one.shares[vm] == two.shares[vm]


@view
def both_on(s: Machine, vm: VM, other: VM) -> bool:
    """Neither VM is off."""
    return s.life[vm] != Off() and s.life[other] != Off()


@view
def exchanged(one: Machine, two: Machine, vm: VM, other: VM) -> bool:
    """The first VM has more pages on the first machine, the second on the second; nobody is off."""
    moved_over = one.target[vm] > two.target[vm] and one.target[other] < two.target[other]
    return moved_over and both_on(one, vm, other) and both_on(two, vm, other)


@view
def by_one_page_at_a_tie(one: Machine, two: Machine, vm: VM, other: VM) -> bool:
    """They differ by one page, which costs the one as much as the other."""
    by_one = one.target[vm] == two.target[vm] + 1 and two.target[other] == one.target[other] + 1
    return by_one and price(one, vm) == price(two, other)


@measure("target")
def pages_of_targets(s: Machine, target: int, vm: VM) -> int:
    """Pages of all targets."""
    return pick(target > 0, target, 0)


# What is known of prices.


@law("ESX-5.1-05", "ESX-5.2-04")
def a_page_more_costs_more(s: Machine, vm: VM, pages: int, more: int) -> bool:
    """More pages have a higher price."""
    return not 0 <= pages < more or price_of(s, vm, pages) < price_of(s, vm, more)


@law("ESX-5.2-04", "ESX-5.2-11")
def a_price_rests_on_shares_use_and_tax(one: Machine, two: Machine, vm: VM, pages: int) -> bool:
    """The same pages cost a VM the same wherever its shares, what it uses and the tax are the same."""
    return not alike(one, two, vm) or price_of(one, vm, pages) == price_of(two, vm, pages)


@law("ESX-5.1-01", "ESX-5.1-05")
def more_shares_make_pages_cheaper(one: Machine, two: Machine, vm: VM, pages: int) -> bool:
    """With more shares the same pages have a lower price."""
    more = alike_but_for_shares(one, two, vm) and two.shares[vm] > one.shares[vm]
    return not (more and pages > 0) or price_of(two, vm, pages) < price_of(one, vm, pages)


@view
def uses_more(one: Machine, two: Machine, vm: VM) -> bool:
    """The second machine takes the VM to use more than the first does; tax and shares are the same."""
    same = one.tax_rate == two.tax_rate and one.shares[vm] == two.shares[vm]
    return same and two.estimate[vm] > one.estimate[vm]


@law("ESX-5.2-01")
def use_never_makes_pages_dearer(one: Machine, two: Machine, vm: VM, pages: int) -> bool:
    """What is taken to be in use costs no more for that."""
    return not (uses_more(one, two, vm) and pages >= 0) or price_of(two, vm, pages) <= price_of(one, vm, pages)


@law("ESX-5.2-01", "ESX-5.2-04")
def pages_in_use_cost_what_they_cost_without_tax(s: Machine, vm: VM, pages: int) -> bool:
    """Of pages that are all in use each costs one for each share, whatever the tax."""
    return pages > active_pages(s, vm) or price_of(s, vm, pages) * s.shares[vm] == pages


@law("ESX-5.2-01", "ESX-5.2-08")
def a_tax_never_makes_pages_cheaper(one: Machine, two: Machine, vm: VM, pages: int) -> bool:
    """No pages cost less with a tax than without."""
    same = one.estimate[vm] == two.estimate[vm] and one.shares[vm] == two.shares[vm] and one.tax_rate == 0
    return not (same and pages >= 0) or price_of(one, vm, pages) <= price_of(two, vm, pages)


PRICES = Abstract(price_of, (
    a_page_more_costs_more, a_price_rests_on_shares_use_and_tax, more_shares_make_pages_cheaper,
    use_never_makes_pages_dearer, pages_in_use_cost_what_they_cost_without_tax, a_tax_never_makes_pages_cheaper,
))  # fmt: skip
"""What the laws below know of a price: not its formula, but these facts."""

# Fair targets exist.


@law("ESX-5.1-04", "ESX-5.1-05", "ESX-5.2-07", about=PRICES)
def taking_pages_keeps_targets_fair(s: Machine, vm: VM, one: VM, two: VM) -> bool:
    """If a page is taken where the price is highest, targets that were fair are fair."""
    were = is_fair(s, one, two) and is_fair(s, vm, two) and s.life[one] != Off()
    kept = leaves(revoke_page, s, vm, so_that=lambda after: is_fair(after, one, two))
    return not (were and enabled(revoke_page, s, vm)) or one == two or kept


@law("ESX-5.1-03", "ESX-5.1-06", about=PRICES)
def giving_pages_keeps_targets_fair(s: Machine, vm: VM, one: VM, two: VM) -> bool:
    """If a page is given to the VM for which one more is cheapest, targets that were fair are fair."""
    more = price_of(s, vm, s.target[vm] + 1)
    cheapest = s.target[two] >= s.maximum[two] or more <= price_of(s, two, s.target[two] + 1)
    were = is_fair(s, one, two) and is_fair(s, one, vm) and is_fair(s, vm, two)
    kept = leaves(demand, s, vm, so_that=lambda after: is_fair(after, one, two))
    return not (were and cheapest and both_on(s, one, two) and enabled(demand, s, vm)) or one == two or kept


@law("ESX-6.1-01")
def minimums_are_fair(s: Machine, vm: VM, other: VM) -> bool:
    """Targets at the minimums are fair: nobody can give anything."""
    return s.target[vm] != s.minimum[vm] or is_fair(s, vm, other)


@law("ESX-5.1-04", "R-28")
def how_much_is_to_be_taken_does_not_say_of_whom(one: Machine, two: Machine, vm: VM) -> bool:
    """Of whom a page is taken rests on targets and prices alone: taking some and then others is taking all at once."""
    same = one.each(VM).every(lambda each: alike(one, two, each) and one.target[each] == two.target[each])
    some = one.to_take > 0 and two.to_take > 0
    return not (same and some) or enabled(revoke_page, one, vm) == enabled(revoke_page, two, vm)


# There is but one way to be fair.


@law("ESX-5.1-04", "R-29")
def what_one_has_more_another_has_less(one: Machine, two: Machine, vm: VM) -> bool:
    """If targets add up to the same, or to less, and a VM has more, then another has less: there are two to look at."""
    more = one.target[vm] > two.target[vm] and pages_of_targets(one) <= pages_of_targets(two)
    within = one.each(VM).every(lambda each: one.target[each] >= 0 and two.target[each] >= 0)
    return not (more and within) or one.each(VM).some(lambda other: one.target[other] < two.target[other])


@law("ESX-5.1-01", "ESX-5.1-05", "ESX-5.2-13", "R-28", about=PRICES)
def fair_targets_differ_by_one_page_at_a_tie(one: Machine, two: Machine, vm: VM, other: VM) -> bool:
    """Between VMs of which all is alike, two fair ways to share out pages differ by one page, at equal prices."""
    same = alike(one, two, vm) and alike(one, two, other)
    fair = is_fair(one, vm, other) and is_fair(two, other, vm)
    return not (same and fair and exchanged(one, two, vm, other)) or by_one_page_at_a_tie(one, two, vm, other)


@law("ESX-5.1-01", "ESX-6.1-03", about=PRICES)
def more_shares_never_mean_fewer_pages(one: Machine, two: Machine, vm: VM, other: VM) -> bool:
    """A VM that gets more shares loses no page to another."""
    raised = alike_but_for_shares(one, two, vm) and two.shares[vm] > one.shares[vm] and alike(one, two, other)
    fair = is_fair(one, vm, other) and is_fair(two, other, vm)
    return not (raised and fair) or not exchanged(one, two, vm, other)


@law("ESX-5.2-01", "ESX-5.2-13", about=PRICES)
def who_uses_more_loses_nothing(one: Machine, two: Machine, vm: VM, other: VM) -> bool:
    """A VM that is taken to use more loses no page to another, but for one at a tie."""
    raised = uses_more(one, two, vm) and alike(one, two, other)
    fair = is_fair(one, vm, other) and is_fair(two, other, vm)
    return not (raised and fair and exchanged(one, two, vm, other)) or by_one_page_at_a_tie(one, two, vm, other)


@law("ESX-5.1-06", about=PRICES)
def a_profitable_move_comes_nearer(now: Machine, fair: Machine, donor: VM, other: VM) -> bool:
    """Who has the highest price has more than its fair target; or else one page, at equal prices, is all to be moved.

    So moving a page from the VM with the highest price to where it adds the least brings targets nearer to fair ones.
    """
    same = alike(now, fair, donor) and alike(now, fair, other) and is_fair(fair, donor, other)
    most = now.target[donor] > now.minimum[donor] and price(now, other) <= price(now, donor)
    without = now.target[donor] <= fair.target[donor] and now.target[other] > fair.target[other]
    tie = now.target[donor] == fair.target[donor] and now.target[other] == fair.target[other] + 1
    on = both_on(now, donor, other) and both_on(fair, donor, other)
    return not (same and most and without and on) or (tie and price(now, donor) == price(now, other))


@law("ESX-5.1-06", about=PRICES)
def a_profitable_move_goes_where_it_should(now: Machine, fair: Machine, taker: VM, other: VM) -> bool:
    """Whose price would be lowest with one more page has fewer than is fair; or else one, at equal prices, is all."""
    same = alike(now, fair, taker) and alike(now, fair, other) and is_fair(fair, other, taker)
    more = price_of(now, taker, now.target[taker] + 1)
    least = now.target[taker] < now.maximum[taker] and more <= price_of(now, other, now.target[other] + 1)
    with_more = now.target[taker] >= fair.target[taker] and now.target[other] < fair.target[other]
    tie = now.target[taker] == fair.target[taker] and fair.target[other] == now.target[other] + 1
    on = both_on(now, taker, other) and both_on(fair, taker, other)
    return not (same and least and with_more and on) or (tie and more == price(fair, other))


# What the tax does.


@law("ESX-5.2-02", "ESX-5.2-03", about=PRICES)
def what_the_tax_takes_has_its_price(one: Machine, two: Machine, vm: VM, other: VM) -> bool:
    """If a VM loses pages by a tax, one page more than it is left with costs no less than what it had did without."""
    same = one.estimate[vm] == two.estimate[vm] and one.shares[vm] == two.shares[vm] and one.tax_rate == 0
    beside = one.estimate[other] == two.estimate[other] and one.shares[other] == two.shares[other]
    fair = is_fair(one, vm, other) and is_fair(two, other, vm)
    lost = same and beside and fair and exchanged(one, two, vm, other)
    return not lost or price(one, vm) <= price_of(two, vm, two.target[vm] + 1)


@law("ESX-5.2-03", "ESX-5.2-09", "ESX-5.2-13")
def the_tax_takes_no_more_than_its_part_of_idle_pages(one: Machine, two: Machine, vm: VM, had: int, left: int) -> bool:
    """What costs no less than what a VM had without tax is all of it but the tax's part of its idle pages."""
    same = one.estimate[vm] == two.estimate[vm] and one.shares[vm] == two.shares[vm] and one.tax_rate == 0
    costs_no_less = 0 <= left <= had and price_of(one, vm, had) <= price_of(two, vm, left)
    idle = had - active_pages(one, vm)
    whole = idle <= 0 and left == had
    return not (same and costs_no_less) or whole or had - left <= two.tax_rate * idle


@law("ESX-5.2-02", "ESX-5.2-03", "ESX-5.2-05", "ESX-5.2-09")
def an_idle_vm_keeps_what_the_tax_leaves(s: Machine, vm: VM, other: VM) -> bool:
    """For its shares an idle VM has no more than the part that the tax leaves of what an active one has, and a page."""
    idle, active = s.estimate[vm] == 0, s.estimate[other] == 1
    could = s.target[vm] > s.minimum[vm] and 0 <= s.target[other] < s.maximum[other]
    part = (1 - s.tax_rate) * (s.target[other] + 1) * s.shares[vm]
    return not (idle and active and could and is_fair(s, vm, other)) or s.target[vm] * s.shares[other] <= part


@law("ESX-5.1-02", "R-31")
def without_a_tax_nobody_has_more_for_its_shares(s: Machine, vm: VM, other: VM) -> bool:
    """Without a tax no VM above its minimum has more for its shares than one below its size has with a page more."""
    could = s.target[vm] > s.minimum[vm] and s.target[other] < s.maximum[other] and s.tax_rate == 0
    more = s.target[vm] * s.shares[other] <= (s.target[other] + 1) * s.shares[vm]
    return not (could and is_fair(s, vm, other)) or more


@law("ESX-5.2-01", about=PRICES)
def a_false_estimate_wins_no_active_page(true: Machine, false: Machine, vm: VM, other: VM) -> bool:
    """A VM short of pages that it uses gets none by being taken to use more, but for one at a tie."""
    short = true.target[vm] + 1 <= active_pages(true, vm)
    taken = uses_more(true, false, vm) and alike(true, false, other)
    fair = is_fair(true, other, vm) and is_fair(false, vm, other)
    return not (short and taken and fair and exchanged(false, true, vm, other)) or by_one_page_at_a_tie(
        false, true, vm, other
    )


# Over time.


@law("ESX-6.3-12", "ESX-6.3-13", "R-38")
def between_two_turns_free_memory_travels(one: Machine, two: Machine) -> bool:
    """If the state goes down to where it later goes up again, the margin and a frame more came free in between."""
    marks = one.high_threshold == two.high_threshold and one.soft_threshold == two.soft_threshold
    same = marks and one.hard_threshold == two.hard_threshold and one.margin == two.margin
    falls = leaves(follow_free_memory, one, so_that=lambda after: depth(one.reclamation) < depth(after.reclamation)
                   and after.reclamation == two.reclamation)
    rises = leaves(follow_free_memory, two, so_that=lambda after: depth(after.reclamation) < depth(two.reclamation))
    return not (same and falls and rises) or two.free_frames - one.free_frames > one.margin + 1


@law("ESX-5.3-10", "ESX-5.3-12", "ESX-5.3-13")
def an_estimate_rises_fast_and_falls_slowly(s: Machine, vm: VM) -> bool:
    """From rest, the estimate rises as the fast average and falls as the slow one."""
    level, new = s.slow[vm], touched_fraction(s, vm)
    rest = s.fast[vm] == level and enabled(end_period, s, vm)
    fast, slow = moved(level, s.fast_gain, new), moved(level, s.slow_gain, new)
    up = leaves(end_period, s, vm, so_that=lambda after: greatest_average(after, vm) == fast)
    down = leaves(end_period, s, vm, so_that=lambda after: greatest_average(after, vm) == slow)
    return not rest or (up and new >= level) or (down and new <= level)


# What one might believe.


@false_claim("ESX-5.1-06")
def a_page_that_was_moved_stays(s: Machine, vm: VM, other: VM) -> bool:
    """A page that goes to a VM with a lower price, by the prices there were before the move, does not go back."""
    goes = s.target[vm] > s.minimum[vm] and s.target[other] < s.maximum[other] and price(s, vm) > price(s, other)
    back = price_of(s, other, s.target[other] + 1) > price_of(s, vm, s.target[vm] - 1)
    return not (goes and back)


@false_claim("ESX-5.1-05", "R-28")
def pages_can_be_taken_at_the_prices_of_before(s: Machine, vm: VM) -> bool:
    """While more is to be taken, the VM from which a page was taken is the one to take the next from."""
    more = s.to_take > 1 and s.target[vm] > s.minimum[vm] + 1 and enabled(revoke_page, s, vm)
    return not more or leaves(revoke_page, s, vm, so_that=lambda after: enabled(revoke_page, after, vm))


@false_claim("ESX-5.2-09")
def nobody_keeps_idle_pages_while_another_lacks_active_ones(s: Machine, vm: VM, other: VM) -> bool:
    """If targets are fair no VM keeps a page that it does not use while another is short of one that it does use."""
    keeps = s.target[vm] > s.minimum[vm] and s.target[vm] >= active_pages(s, vm) + 1
    lacks = s.target[other] < s.maximum[other] and s.target[other] + 1 <= active_pages(s, other)
    return not (keeps and lacks and is_fair(s, vm, other))


@false_claim("ESX-5.2-01")
def a_false_estimate_wins_no_page(true: Machine, false: Machine, vm: VM, other: VM) -> bool:
    """A VM gets no page by being taken to use more than it does, not even an idle one, but for one at a tie."""
    taken = uses_more(true, false, vm) and alike(true, false, other)
    fair = is_fair(true, other, vm) and is_fair(false, vm, other)
    wins = taken and fair and exchanged(false, true, vm, other)
    return not wins or by_one_page_at_a_tie(false, true, vm, other)


@measure("life")
def shares_of_vms(s: Machine, life: Life, vm: VM) -> int:
    """Shares of all VMs that are not off."""
    return pick(life != Off(), s.shares[vm], 0)


@false_claim("ESX-5.1-01", "ESX-5.1-02", vms=3)
def nobody_gets_a_page_more_than_its_part(s: Machine, vm: VM) -> bool:
    """Without tax or bounds, fair targets are less than a page above the parts that shares entitle to."""
    fair = s.each(VM).every(lambda one: s.each(VM).every(lambda two: is_fair(s, one, two)))
    free = s.each(VM).every(lambda one: s.minimum[one] == 0 and s.target[one] < s.maximum[one])
    on = s.each(VM).every(lambda one: s.life[one] != Off())
    above = s.target[vm] * shares_of_vms(s) < pages_of_targets(s) * s.shares[vm] + shares_of_vms(s)
    return not (fair and free and on and s.tax_rate == 0) or above
