"""Flux's own Provider and Alert manifests, https://fluxcd.io/flux/components/notification/ ."""
