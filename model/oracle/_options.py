"""Temporary."""
class O:
    def __init__(self, sentence): self.sentence = sentence
OPTIONS = {n: O(n) for n in ("keep_slot","swap_shared","take_over","displace")}
PROFILES = {"esx": dict(keep_slot=False,swap_shared=False,take_over=False,displace=False), "linux": dict(keep_slot=True,swap_shared=True,take_over=False,displace=False)}
