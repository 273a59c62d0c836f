"""Lists the systematic mutants, and the steps that cannot be exchanged, each with the reason."""

from .orders import exchanges
from .systematic import systematic

for mutant in systematic().values():
    print(f"{mutant.identifier}: {mutant.title}")
for one in exchanges():
    if not one.changes:
        print(f"no order/{one.first}-{one.second}: {one.title}")
