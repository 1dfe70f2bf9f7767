{{/* What the restricted pod security level asks for, and a root filesystem that cannot be written. */}}
{{- define "tandem.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "tandem.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* The kubelet syncs the Secret of a provider class only while a pod mounts it. */}}
{{- define "tandem.secretsVolumeMounts" -}}
{{- if eq .Values.global.credentials.source "csi" -}}
- name: connections
  mountPath: /mnt/connections
  readOnly: true
{{- end -}}
{{- with (.Values.accounts).secretProviderClass }}
- name: table-accounts
  mountPath: /mnt/table-accounts
  readOnly: true
{{- end -}}
{{- end }}

{{- define "tandem.secretsVolumes" -}}
{{- if eq .Values.global.credentials.source "csi" -}}
- name: connections
  csi:
    driver: secrets-store.csi.k8s.io
    readOnly: true
    volumeAttributes:
      secretProviderClass: {{ .Values.global.credentials.csi.secretProviderClass | quote }}
{{- end -}}
{{- with (.Values.accounts).secretProviderClass }}
- name: table-accounts
  csi:
    driver: secrets-store.csi.k8s.io
    readOnly: true
    volumeAttributes:
      secretProviderClass: {{ . | quote }}
{{- end -}}
{{- end }}

{{/* One replica for each zone and node as far as they go; a lost zone keeps no pod from starting. */}}
{{- define "tandem.topologySpread" -}}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "tandem.selectorLabels" $ | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}

{{/*
All three ask the process. Whether the region may take traffic is for Traffic Manager, which asks
/health/ready: were it asked here, replicators that are dead everywhere would take every process of
every region out, and nobody would serve although all could.
*/}}
{{- define "tandem.probes" -}}
startupProbe:
  httpGet: {path: /health/live, port: http}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /health/live, port: http}
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /health/serving, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end }}
