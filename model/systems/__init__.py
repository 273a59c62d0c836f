"""Implementations to judge: our own two, and adapters to those of others.

serving     a Python object as a program that speaks the protocol
reference   the reference model itself, also with a known fault
optimized   the memory manager of `pagelaw.model.optimized`
linux       the kernel of this machine
balloon     QEMU's balloon device, without a guest (qemu: what it is asked through; virtio: the driver)
running     a long random run of one, judged as it goes
listed      all of them, and why one cannot run here
"""
