"""The proof: a faulty day through the whole real system, graded against the simulator's key."""
