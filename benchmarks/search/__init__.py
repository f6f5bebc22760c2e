"""``katib bench``: search algorithms, ours and others', compared on the same problems under the same conditions."""
