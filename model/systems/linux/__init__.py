"""The kernel of this machine as an implementation: VMs are processes, the observer looks at them from outside.

    python -m pagelaw.model.systems.linux

    processes   a VM: a child process and its mapping
    keeping     what is changed on the machine is put back
    knobs       the scanner, the swap area, control groups; why one cannot be used here
    machine     operations of a trace, done by the kernel; what is seen of pages
    drawing     what to do next in a long random run

Frames are named by the kernel's numbers, slots by their place in the swap area. A page that was only read has the
frame of zeros, as all such pages have, until it is given one of its own, as the specification has it.
"""

from .keeping import CannotRun
from .machine import Linux, cannot

__all__ = ["CannotRun", "Linux", "cannot"]
