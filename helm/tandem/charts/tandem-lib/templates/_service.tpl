{{- define "tandem.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .Chart.Name }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "tandem.labels" . | nindent 4 }}
spec:
  type: ClusterIP
  selector:
    {{- include "tandem.selectorLabels" . | nindent 4 }}
  ports:
    - {name: http, port: {{ .Values.port }}, targetPort: http, protocol: TCP}
    {{- if .Values.global.serviceMonitor.enabled }}
    - {name: metrics, port: {{ include "tandem.metricsPort" . }}, targetPort: metrics, protocol: TCP}
    {{- end }}
{{- end }}
