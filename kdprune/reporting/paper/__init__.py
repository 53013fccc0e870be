"""The paper's printed results, and this study beside them."""
