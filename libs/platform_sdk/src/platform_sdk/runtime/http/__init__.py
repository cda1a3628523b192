"""HTTP: the app, its middleware, who calls, and how a request is refused."""
