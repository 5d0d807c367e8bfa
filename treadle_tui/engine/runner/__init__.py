"""Where stage code runs: on the loop, in daemon threads, in processes of its own. `protocol` is the seam, `local` the default."""
