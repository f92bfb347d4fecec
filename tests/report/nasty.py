"""A name that no page may take for more than a text."""

NASTY = "<img src=x onerror=alert(1)>&'\"</script><script>boom()</script>"
