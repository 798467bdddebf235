"""What draws the metrics: ``python -m grafana`` writes the dashboards anew."""
