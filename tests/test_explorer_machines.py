"""Every machine of the gallery, explored in full: all states, pinned; every statement holds in all of them."""

import pytest

from pagelaw.model.explorer.gallery import MACHINES
from pagelaw.model.explorer.search import Explored, explore

SEEN: dict[str, tuple[int, int, int, int]] = {
    # states, states that these stand for, steps, depth
    "common": (1_021, 184_576, 9_152, 17),
    "common-3": (7_256, 10_846_288, 72_125, 23),
    "first-touch": (1_140, 2_268, 4_508, 22),
    "fills": (8_668, 33_696, 118_470, 19),
    "clean": (1_748, 1_748, 10_314, 38),
    "sampling": (19_896, 76_512, 182_244, 18),
    "marking": (452, 1_612, 3_159, 12),
    "marking-devices": (222, 444, 1_314, 13),
    "sharing": (688, 7_107, 4_563, 23),
    "sharing-devices": (1_136, 6_786, 8_609, 35),
    "collisions": (19_514, 233_028, 116_796, 44),
    "overflow": (121, 3_423, 513, 7),
    "domains": (64, 6_048, 260, 6),
    "paging": (2_170, 14_560, 12_320, 25),
    "paging-devices": (2_714, 5_424, 16_996, 50),
    "balloon": (1_386, 10_992, 12_708, 14),
    "balloon-paging": (1_733, 3_420, 6_098, 41),
    "blocks": (718, 2_784, 3_002, 30),
    "bounce": (10_385, 72_096, 112_602, 20),
    "pins": (772, 2_548, 5_804, 24),
    "moving": (7_071, 13_652, 61_226, 16),
    "making-room": (1_684, 19_392, 8_748, 25),
    "power": (271, 2_791, 553, 30),
    "dying": (73, 73, 259, 11),
    "dying-sharing": (1_154, 12_810, 4_780, 11),
    "reserve": (6_148, 38_672, 32_268, 28),
    "page-ins": (120, 465, 338, 14),
    "shares": (225, 450, 828, 10),
    "blocked": (8_094, 278_460, 52_336, 17),
    "estimates": (20_784, 166_272, 130_800, 22),
    "prices": (1_785, 7_038, 6_072, 19),
    "reclamation": (1_031, 33_659, 4_707, 14),
    "shared-paging": (1_318, 26_288, 6_158, 17),
    "minimum": (4_014, 66_216, 22_226, 19),
    "false-matches": (841, 14_724, 3_886, 24),
    "three-equal": (1_980, 61_536, 8_767, 13),
    "shared-leaving": (2_182, 17_412, 7_332, 15),
    "bounce-sharing": (2_318, 34_276, 9_880, 25),
    "blocked-sharing": (2_700, 51_912, 13_633, 25),
    "target": (108, 588, 364, 8),
    "low-memory": (6_342, 1_122_456, 35_339, 19),
    "following": (371, 21_208, 1_516, 10),
    "admission": (213, 827, 524, 18),
    "sample-of-one": (840, 6_720, 3_248, 10),
    "averages": (146, 146, 403, 12),
    "warm": (22, 22, 50, 11),
    "hints-left": (115, 424, 330, 9),
    "after-power-off": (813, 813, 2_526, 17),
    "after-power-off-balloon": (1_368, 1_368, 9_220, 24),
    "after-power-off-moving": (766, 8_102, 1_624, 30),
    "two-guests": (240, 960, 2_160, 8),
    "migrating": (2_272, 19_320, 9_460, 19),
    "limit": (3_460, 430_056, 14_797, 25),
    "limit-left": (702, 155_520, 3_122, 9),
    "limit-zeros": (210, 14_996, 1_052, 15),
    "limit-devices": (1_138, 121_068, 6_445, 14),
}
QUICK = ("common", "first-touch", "domains")


def seen(explored: Explored) -> tuple[int, int, int, int]:
    """The figures that are pinned."""
    return explored.states, explored.represented, explored.transitions, explored.depth


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.deep) for name in MACHINES]
)
def test_every_state_is_seen_and_all_holds(name: str) -> None:
    small = MACHINES[name]
    explored = explore(small)
    assert explored.violation is None
    assert explored.complete
    assert seen(explored) == SEEN[name]
    assert explored.states == small.states, "as the list of machines says"
    assert all(explored.done[action] for action in small.actions), "every action is done somewhere"


def test_every_machine_is_pinned() -> None:
    assert set(SEEN) == set(MACHINES)
