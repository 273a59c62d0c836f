"""pagelaw: a checked, executable reference specification of hypervisor memory management.

`pagelaw.spec` says what must hold, `pagelaw.model` runs it, `pagelaw.proofs` proves it.
The specification follows C. A. Waldspurger, "Memory Resource Management in VMware ESX
Server" (OSDI 2002). `__version__` is the version of the package and of the specification.
"""

__version__ = "0.1.0"
