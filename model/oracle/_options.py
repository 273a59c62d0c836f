"""Temporary."""
class O:
    def __init__(self, sentence): self.sentence = sentence
ESX=dict(keep_slot=False,swap_shared=False,take_over=False,displace=False,share_first=True,migrate=False)
LINUX=dict(keep_slot=True,swap_shared=True,take_over=False,displace=False,share_first=False,migrate=True)
OPTIONS = {n: O(n) for n in ESX}
PROFILES = {"esx": ESX, "linux": LINUX}
