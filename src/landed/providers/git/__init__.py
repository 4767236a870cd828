"""Git hosts, one file each, named as in Flux's `Provider.spec.type`."""
