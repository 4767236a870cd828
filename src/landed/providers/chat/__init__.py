"""Chat services and webhooks, one file each, named as in Flux's `Provider.spec.type`."""
