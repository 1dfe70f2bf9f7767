{{- define "tandem.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .Chart.Name }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "tandem.labels" . | nindent 4 }}
spec:
  type: ClusterIP
  selector:
    {{- include "tandem.selectorLabels" . | nindent 4 }}
  ports:
    - {name: http, port: {{ .Values.port }}, targetPort: http, protocol: TCP}
{{- end }}

{{- define "tandem.serviceMonitor" -}}
{{- if .Values.global.serviceMonitor.enabled -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ .Chart.Name }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "tandem.labels" . | nindent 4 }}
spec:
  selector:
    matchLabels:
      {{- include "tandem.selectorLabels" . | nindent 6 }}
  endpoints:
    - port: http
      path: {{ .Values.global.serviceMonitor.path }}
      interval: {{ .Values.global.serviceMonitor.interval }}
{{- end -}}
{{- end }}
