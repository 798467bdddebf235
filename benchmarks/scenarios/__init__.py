"""One module for each kind of work; each runs ours and its peers in turn and checks that the work was done."""
