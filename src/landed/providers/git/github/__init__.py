"""github.com, GHE.com and GitHub Enterprise Server."""
