"""What a cluster of an ordinary company serves, so that kubectl's discovery is of a usual size: the built-in groups of
Kubernetes, Flux, and the add-ons that most clusters have."""

from __future__ import annotations

#: Group and version → kinds.
GROUPS = {
    "v1": "Binding ComponentStatus ConfigMap Endpoint Event LimitRange Namespace Node PersistentVolumeClaim"
    " PersistentVolume Pod PodTemplate ReplicationController ResourceQuota Secret ServiceAccount Service",
    "admissionregistration.k8s.io/v1": "MutatingWebhookConfiguration ValidatingAdmissionPolicy"
    " ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration",
    "apiextensions.k8s.io/v1": "CustomResourceDefinition",
    "apiregistration.k8s.io/v1": "APIService",
    "apps/v1": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "authentication.k8s.io/v1": "SelfSubjectReview TokenReview",
    "authorization.k8s.io/v1": "LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview"
    " SubjectAccessReview",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "batch/v1": "CronJob Job",
    "certificates.k8s.io/v1": "CertificateSigningRequest",
    "coordination.k8s.io/v1": "Lease",
    "discovery.k8s.io/v1": "EndpointSlice",
    "events.k8s.io/v1": "Event",
    "flowcontrol.apiserver.k8s.io/v1": "FlowSchema PriorityLevelConfiguration",
    "networking.k8s.io/v1": "Ingress IngressClass NetworkPolicy",
    "node.k8s.io/v1": "RuntimeClass",
    "policy/v1": "PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "scheduling.k8s.io/v1": "PriorityClass",
    "storage.k8s.io/v1": "CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment",
    "kustomize.toolkit.fluxcd.io/v1": "Kustomization",
    "source.toolkit.fluxcd.io/v1": "Bucket ExternalArtifact GitRepository HelmChart HelmRepository OCIRepository",
    "helm.toolkit.fluxcd.io/v2": "HelmRelease",
    "notification.toolkit.fluxcd.io/v1beta3": "Alert Provider",
    "image.toolkit.fluxcd.io/v1": "ImagePolicy ImageRepository ImageUpdateAutomation",
    "metrics.k8s.io/v1beta1": "NodeMetrics PodMetrics",
    "cert-manager.io/v1": "Certificate CertificateRequest ClusterIssuer Issuer",
    "acme.cert-manager.io/v1": "Challenge Order",
    "monitoring.coreos.com/v1": "Alertmanager PodMonitor Prometheus PrometheusRule ServiceMonitor ThanosRuler",
    "external-secrets.io/v1": "ClusterExternalSecret ClusterSecretStore ExternalSecret SecretStore",
    "gateway.networking.k8s.io/v1": "Gateway GatewayClass GRPCRoute HTTPRoute",
    "snapshot.storage.k8s.io/v1": "VolumeSnapshot VolumeSnapshotClass VolumeSnapshotContent",
    "velero.io/v1": "Backup BackupRepository BackupStorageLocation PodVolumeBackup Restore Schedule",
    "kyverno.io/v1": "ClusterPolicy Policy",
    "wgpolicyk8s.io/v1alpha2": "ClusterPolicyReport PolicyReport",
    "cilium.io/v2": "CiliumClusterwideNetworkPolicy CiliumEndpoint CiliumIdentity CiliumNetworkPolicy CiliumNode",
    "karpenter.sh/v1": "NodeClaim NodePool",
    "keda.sh/v1alpha1": "ScaledJob ScaledObject TriggerAuthentication",
}
