"""Write results for people who look and for CI: one self-contained page, Markdown, SARIF, JUnit."""
