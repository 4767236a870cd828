"""gitlab.com and GitLab on one's own servers."""
