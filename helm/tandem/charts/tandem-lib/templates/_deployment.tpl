{{/*
The Deployment of a service: dict with root, isScaled (another object sets the number of replicas)
and environment (what only this service reads, as text). A pod may take its sleep, its deadline for a stop,
and a moment to be told and to be gone.
*/}}
{{- define "tandem.deployment" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- include "tandem.validateService" $root -}}
{{- $shutdownSeconds := div (add (int64 $values.shutdownDeadlineMs) 999) 1000 -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $root.Chart.Name }}
  namespace: {{ $root.Release.Namespace | quote }}
  labels:
    {{- include "tandem.labels" $root | nindent 4 }}
spec:
  {{- if not .isScaled }}
  replicas: {{ $values.replicas.min }}
  {{- end }}
  revisionHistoryLimit: 5
  # Longer than Readiness.WaitMsMax, 10 minutes: a region that catches up is no failed rollout.
  progressDeadlineSeconds: 900
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  selector:
    matchLabels:
      {{- include "tandem.selectorLabels" $root | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "tandem.labels" $root | nindent 8 }}
        azure.workload.identity/use: "true"
      {{- with $values.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ $root.Chart.Name }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      {{- with include "tandem.imagePullSecrets" $root }}
      {{- . | nindent 6 }}
      {{- end }}
      terminationGracePeriodSeconds: {{ add (int64 $values.preStopSeconds) $shutdownSeconds 5 }}
      securityContext:
        {{- include "tandem.podSecurityContext" $root | nindent 8 }}
      topologySpreadConstraints:
        {{- include "tandem.topologySpread" $root | nindent 8 }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ $root.Chart.Name }}
          image: {{ include "tandem.image" (dict "root" $root "service" $root.Chart.Name) | quote }}
          imagePullPolicy: {{ $values.global.image.pullPolicy }}
          ports:
            - {name: http, containerPort: {{ $values.port }}, protocol: TCP}
            {{- if $values.global.serviceMonitor.enabled }}
            - {name: metrics, containerPort: {{ include "tandem.metricsPort" $root }}, protocol: TCP}
            {{- end }}
          env:
            {{- include "tandem.environment" (dict "root" $root "port" $values.port) | nindent 12 }}
            {{- with include "tandem.metricsEnvironment" $root }}
            {{- . | nindent 12 }}
            {{- end }}
            {{- with include "tandem.otlpEnvironment" $root }}
            {{- . | nindent 12 }}
            {{- end }}
            {{- with .environment }}
            {{- . | nindent 12 }}
            {{- end }}
          {{- include "tandem.probes" $root | nindent 10 }}
          {{- if $values.preStopSeconds }}
          # Endpoints are taken out of the load balancers while the process still answers.
          lifecycle:
            preStop:
              sleep: {seconds: {{ $values.preStopSeconds }}}
          {{- end }}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            {{- include "tandem.containerSecurityContext" $root | nindent 12 }}
          {{- with include "tandem.secretsVolumeMounts" $root }}
          volumeMounts:
            {{- . | nindent 12 }}
          {{- end }}
      {{- with include "tandem.secretsVolumes" $root }}
      volumes:
        {{- . | nindent 8 }}
      {{- end }}
{{- end }}
