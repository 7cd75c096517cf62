"""Put on the path of trials that push their metrics; see `sitecustomize`."""
