{{/*
What a schema cannot see: what is missing, and what contradicts something else. All problems are
found at once, each a sentence that says what to do.
*/}}
{{- define "tandem.validate" -}}
{{- $problems := concat
  (include "tandem.problems.regions" . | fromJsonArray)
  (include "tandem.problems.peers" . | fromJsonArray)
  (include "tandem.problems.credentials" . | fromJsonArray)
  (include "tandem.problems.auth" . | fromJsonArray)
  (include "tandem.problems.otlp" . | fromJsonArray)
  (include "tandem.problems.settings" . | fromJsonArray) -}}
{{- if $problems -}}
{{- fail (printf "\nThe values cannot be used:\n- %s\n" (join "\n- " $problems)) -}}
{{- end -}}
{{- end }}

{{- define "tandem.problems.regions" -}}
{{- $global := .Values.global -}}
{{- $problems := list -}}
{{- $names := list -}}
{{- range $global.regions -}}
{{- $name := .name | default "" -}}
{{- if not $name -}}
{{- $problems = append $problems "global.regions has an entry without name: name every region, for example east." -}}
{{- else -}}
{{- if has $name $names -}}
{{- $problems = append $problems (printf "global.regions lists %s twice: give each region a name of its own." $name) -}}
{{- end -}}
{{- $names = append $names $name -}}
{{- $region := . -}}
{{- range $field, $example := dict "storageAccountUrl" "https://tandemeast.table.core.windows.net" "serviceBusNamespace" "tandem-east.servicebus.windows.net" "host" "east.customers.example.com" -}}
{{- if not (get $region $field) -}}
{{- $problems = append $problems (printf "global.regions: %s has no %s: set it, for example %s." $name $field $example) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $listed := join ", " ($names | uniq) -}}
{{- if not $global.regions -}}
{{- $problems = append $problems "global.regions is empty: pass the file of all regions too, with -f values.regions.yaml." -}}
{{- else if not $global.region -}}
{{- $problems = append $problems (printf "global.region is not set: name the region of this release, one of %s." $listed) -}}
{{- else if not (has $global.region $names) -}}
{{- $problems = append $problems (printf "global.region is %s, which global.regions does not list: name one of %s, or add it there." $global.region $listed) -}}
{{- end -}}
{{ toJson $problems }}
{{- end }}

{{- define "tandem.problems.peers" -}}
{{- $root := . -}}
{{- $global := .Values.global -}}
{{- $problems := list -}}
{{- $queues := dict -}}
{{- $accounts := dict -}}
{{- range $global.regions -}}
{{- $name := .name | default "" -}}
{{- if and .serviceBusNamespace $name -}}
{{- $queue := printf "%s/%s" .serviceBusNamespace (include "tandem.queue" (dict "root" $root "region" .)) | lower -}}
{{- $other := get $queues $queue -}}
{{- if and $other (ne $other $name) -}}
{{- $problems = append $problems (printf "global.regions: %s and %s have the same queue, %s, so a region would receive its own changes: give each a namespace of its own." $other $name $queue) -}}
{{- end -}}
{{- $_ := set $queues $queue $name -}}
{{- end -}}
{{- if and .storageAccountUrl $name -}}
{{- $account := .storageAccountUrl | lower | trimSuffix "/" -}}
{{- $other := get $accounts $account -}}
{{- if and $other (ne $other $name) -}}
{{- $problems = append $problems (printf "global.regions: %s and %s have the same storage account, %s: a region keeps its own data, so give each an account of its own." $other $name $account) -}}
{{- end -}}
{{- $_ := set $accounts $account $name -}}
{{- end -}}
{{- end -}}
{{- if and (eq $global.dataAccess "multi-region") (eq (len $global.regions) 1) -}}
{{- $problems = append $problems (printf "global.regions lists only %s, so there is no peer: add another region, or set global.dataAccess to single-region." (first $global.regions).name) -}}
{{- end -}}
{{- if and (eq $global.dataAccess "single-region") (gt (len $global.regions) 1) -}}
{{- $problems = append $problems (printf "global.dataAccess is single-region, but global.regions lists %d: remove the others, or set it to multi-region." (len $global.regions)) -}}
{{- end -}}
{{ toJson $problems }}
{{- end }}

{{- define "tandem.problems.credentials" -}}
{{- $global := .Values.global -}}
{{- $credentials := $global.credentials -}}
{{- $source := $credentials.source -}}
{{- $problems := list -}}
{{- range $other := list "csi" "externalSecret" -}}
{{- $isSet := false -}}
{{- range $_, $value := get $credentials $other -}}
{{- if $value -}}{{- $isSet = true -}}{{- end -}}
{{- end -}}
{{- if and (eq $source $other) (not $isSet) -}}
{{- $problems = append $problems (printf "global.credentials.source is %s, but global.credentials.%s is empty: fill it in, or set the source to identity." $other $other) -}}
{{- end -}}
{{- if and (ne $source $other) $isSet -}}
{{- $problems = append $problems (printf "global.credentials.%s is filled in, but global.credentials.source is %s: set the source to %s, or remove it." $other $source $other) -}}
{{- end -}}
{{- end -}}
{{- if eq $source "identity" -}}
{{- range $region := $global.regions -}}
{{- if eq ($region.name | default "") ($global.region | default "-") -}}
{{- range $service := list "customerApi" "replicator" -}}
{{- if not (get ($region.clientIds | default dict) $service) -}}
{{- $problems = append $problems (printf "global.regions: %s has no clientIds.%s: set the client id of that service's managed identity, which the infrastructure prints." $region.name $service) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ toJson $problems }}
{{- end }}

{{- define "tandem.problems.auth" -}}
{{- $problems := list -}}
{{- range $field, $example := dict "issuer" "https://login.microsoftonline.com/<tenant>/v2.0" "audience" "api://tandem" -}}
{{- if not (get $.Values.global.auth $field) -}}
{{- $problems = append $problems (printf "global.auth.%s is not set, so anyone could read and write every customer: set it, for example %s." $field $example) -}}
{{- end -}}
{{- end -}}
{{ toJson $problems }}
{{- end }}

{{- define "tandem.problems.settings" -}}
{{- $settings := .Values.global.settings -}}
{{- $problems := list -}}
{{- $lag := get $settings "Readiness.LagMsMax" | default 15000 | int64 -}}
{{- $interval := get $settings "Sweep.IntervalMs" | default 1000 | int64 -}}
{{- if lt $lag (mul 2 $interval) -}}
{{- $problems = append $problems (printf "global.settings: Readiness.LagMsMax (%d) is less than two times Sweep.IntervalMs (%d), so the region would hardly ever be ready: raise the one or lower the other." $lag $interval) -}}
{{- end -}}
{{ toJson $problems }}
{{- end }}

{{- define "tandem.problems.otlp" -}}
{{- $problems := list -}}
{{- with .Values.global.otlp.endpoint -}}
{{- $port := (urlParse .).host | splitList ":" | last | int -}}
{{- if gt $port 65535 -}}
{{- $problems = append $problems (printf "global.otlp.endpoint names port %d: there is none above 65535." $port) -}}
{{- end -}}
{{- end -}}
{{ toJson $problems }}
{{- end }}

{{/* Of one service: a range that cannot be scaled in, and what is asked for but not allowed. */}}
{{- define "tandem.validateService" -}}
{{- include "tandem.validate" . -}}
{{- $replicas := .Values.replicas -}}
{{- if gt (int $replicas.min) (int $replicas.max) -}}
{{- fail (printf "\n%s.replicas.min (%d) is greater than max (%d): swap them." .Chart.Name (int $replicas.min) (int $replicas.max)) -}}
{{- end -}}
{{- $resources := .Values.resources -}}
{{- range $name, $limit := $resources.limits -}}
{{- $request := get $resources.requests $name -}}
{{- if gt (include "tandem.amount" $request | float64) (include "tandem.amount" $limit | float64) -}}
{{- fail (printf "\n%s.resources: the request of %s (%s) is greater than its limit (%s), which no cluster takes: lower the one or raise the other." $.Chart.Name $name $request $limit) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* What a quantity such as 250m or 1.5Gi amounts to, as a number. */}}
{{- define "tandem.amount" -}}
{{- $unit := regexFind "[a-zA-Z]*$" . -}}
{{- $units := dict "" 1.0 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 -}}
{{ mulf (trimSuffix $unit .) (get $units $unit) }}
{{- end }}
