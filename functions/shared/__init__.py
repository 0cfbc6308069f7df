"""What every door needs: answers and refusals, signatures, admission, log lines."""
