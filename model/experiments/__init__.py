"""The server running: guests with workloads on one machine, in virtual time, on the rules of the specification.

Read in this order:

    server      the machine as it runs: steps are done and counted, free frames kept at hand
    guests      a guest's own memory management: free pages, page replacement, its virtual disk
    workloads   what guests do: boot, keep a working set, use files, do nothing
    daemons     balloon drivers, swap daemon, page scanner, sampler
    allocator   who is to have how much, and what is asked of balloons and swap daemon for that
    run         one run: the clock, who has a turn when, and what is noted
    figures     the paper's experiments, and how they compare

Nothing here changes a machine but by its rules. What is modelled of guests, disks and processors is ours: the
paper says what its VMs ran, not what that did to memory page by page.
"""
