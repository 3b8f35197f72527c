"""What runs scans by the clock and watches over them."""
