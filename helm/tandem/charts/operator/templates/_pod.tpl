{{/* What a schema cannot see of the operator's place; each problem is a sentence that says what to do. */}}
{{- define "operator.validate" -}}
{{- $console := .Values.console -}}
{{- $problems := list -}}
{{- if ne .Values.global.credentials.source "identity" -}}
{{- $problems = append $problems (printf "operator.enabled is true, but global.credentials.source is %s: connection strings of a region open no other one, so set the source to identity, or operator.enabled to false." .Values.global.credentials.source) -}}
{{- end -}}
{{- if $console.enabled -}}
{{- range $field, $value := dict "host" $console.host "oidc.issuer" $console.oidc.issuer "oidc.clientId" $console.oidc.clientId -}}
{{- if not $value -}}
{{- $problems = append $problems (printf "operator.console.enabled is true, but operator.console.%s is not set, and nobody could be asked who he is: set it, or operator.console.enabled to false." $field) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $names := list -}}
{{- range include "operator.jobs" . | fromJsonArray -}}
{{- if has .name $names -}}
{{- $problems = append $problems (printf "operator.jobs has %s twice: give each a name of its own." .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- if $problems -}}
{{- fail (printf "\nThe values cannot be used:\n- %s\n" (join "\n- " $problems)) -}}
{{- end -}}
{{- end }}

{{/*
The jobs of the values, and the canary where it has a time: it needs no role on tables and queues. One that hangs is ended before
its next turn, which would be left out.
*/}}
{{- define "operator.jobs" -}}
{{- $jobs := .Values.jobs -}}
{{- with .Values.canarySchedule -}}
{{- $command := list "canary" "--json" "--as" $.Values.global.region -}}
{{- $jobs = append $jobs (dict "name" "canary" "identity" "view" "command" $command "schedule" . "asClient" true "secondsMax" 240) -}}
{{- end -}}
{{ toJson $jobs }}
{{- end }}

{{/* Where all regions are, as the JSON that tandem reads; of the replicators only the one of this cluster is in reach. */}}
{{- define "operator.inventory" -}}
{{- $root := . -}}
{{- $regions := list -}}
{{- range .Values.global.regions -}}
{{- $region := dict "name" .name "storage" .storageAccountUrl "serviceBus" .serviceBusNamespace "queue" (include "tandem.queue" (dict "root" $root "region" .)) "api" (printf "https://%s" .host) -}}
{{- if eq .name $root.Values.global.region -}}
{{- $region = set $region "replicator" (printf "http://replicator:%d" (int $root.Values.replicatorPort)) -}}
{{- end -}}
{{- $regions = append $regions $region -}}
{{- end -}}
{{ toJson (dict "version" 1 "regions" $regions) }}
{{- end }}

{{/* What every pod here is: dict with root and identity. */}}
{{- define "operator.podSpec" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
serviceAccountName: operator-{{ .identity }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with include "tandem.imagePullSecrets" $root }}
{{ . }}
{{- end }}
securityContext:
  {{- include "tandem.podSecurityContext" $root | nindent 2 }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "operator.container" -}}
image: {{ include "tandem.image" (dict "root" . "service" "operator") | quote }}
imagePullPolicy: {{ .Values.global.image.pullPolicy }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- include "tandem.containerSecurityContext" . | nindent 2 }}
volumeMounts:
  # The only place that is written.
  - {name: state, mountPath: /data}
{{- end }}

{{/* The labels of the pods of jobs, to which the service of the console must not lead. */}}
{{- define "operator.jobLabels" -}}
app.kubernetes.io/name: operator-job
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "operator.egressRules" -}}
{{ include "tandem.egressRules" . }}
- to:
    - podSelector:
        matchLabels: {app.kubernetes.io/name: replicator, app.kubernetes.io/instance: {{ .Release.Name | quote }}}
  ports:
    - {port: {{ .Values.replicatorPort }}, protocol: TCP}
{{- end }}
